"""The keys of a params file by what they set: the log, the model, decisions, generated customers."""
