"""`MotionTextEvaluator`: the model that judges motions against sentences; travels to a Hub repository of its own."""
