"""Which LR scene goes with which HR scene: what each offers, what is held twice, and how cloudy the overlap is."""
