"""Figures for analysts: what is drawn by matplotlib into notebooks."""
