"""From the frame of a camera to a map: RPCs, their refinement, heights, and the warp itself."""
