"""`fengsui accept`: a station proves itself row by row, and signs what was seen."""
