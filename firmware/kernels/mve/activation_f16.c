/* ReLU in halves. */
#include "f16.h"

#include "activation.h"
