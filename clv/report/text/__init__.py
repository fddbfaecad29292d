"""Sentences made of figures."""
