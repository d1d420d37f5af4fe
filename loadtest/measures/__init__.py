"""Counts and histograms of bounded size that can be added up, whatever process they come from."""
