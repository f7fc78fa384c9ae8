"""What a sensor is: its bands, pixel sizes, optics and calibration; facts only, no files."""
