"""Photographs: checks, detection, landmark calibration, head fitting, texture projection."""
