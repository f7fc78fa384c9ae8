"""How results are judged: metrics of a scene, their summary over scenes, figures and the report."""
