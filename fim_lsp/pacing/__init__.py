"""When a call may be made: the pause after a key, the minute's budget, and the breaker."""
