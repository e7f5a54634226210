"""The formats of FORMAT_MODULE_PATH: times of day in 24 hours without seconds, in place of Django's "2:30 p.m."."""

TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j M Y, H:i"
SHORT_DATETIME_FORMAT = "d/m/Y H:i"
# The first one is the format of a time in a form.
TIME_INPUT_FORMATS = ["%H:%M", "%H:%M:%S", "%H:%M:%S.%f"]
