"""`fengsui doctor`: facts gathered from the machine and the agent, and what they mean. Changes nothing."""
