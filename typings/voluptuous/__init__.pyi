# What the name stands for at run time: Home Assistant serves it from probatio.
from probatio import *
