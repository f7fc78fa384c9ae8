"""A procedural landscape seen by Sentinel-2 and Gaofen-2, written as the products real ground segments deliver."""
