/* ReLU in 32-bit floats. */
#include "f32.h"

#include "activation.h"
