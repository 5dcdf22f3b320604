/* Fully connected layers in 32-bit floats. */
#include "f32.h"

#include "dense.h"
