"""Gaofen-2 L1A packages: read, calibrated, corrected for haze, brought onto a reference and pansharpened."""
