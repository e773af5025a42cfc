# At run time Home Assistant provides voluptuous from probatio.
from probatio import *
