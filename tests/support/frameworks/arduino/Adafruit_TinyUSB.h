// Stands for Adafruit's library: to include it is all that is asked for.
