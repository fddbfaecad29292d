"""Pages: notebooks rendered to one file that opens anywhere."""
