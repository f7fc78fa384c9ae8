"""Published sets of LR and HR pairs, each read in the layout that its authors gave it."""
