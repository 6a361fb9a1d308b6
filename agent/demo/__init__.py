"""The demonstration: the whole main job on one machine, on real input, with the faults it is for."""
