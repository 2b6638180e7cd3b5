"""Faults that are planted in every rule, by kind."""
