"""Liquid configurations from pair potentials."""
