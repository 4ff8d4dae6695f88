"""Worlds, faults, states and time of a Calotype server, for tests."""

from .lab import Fault, Hold, Lab, Problem, World
from .server import Server

__all__ = ["Fault", "Hold", "Lab", "Problem", "Server", "World"]
