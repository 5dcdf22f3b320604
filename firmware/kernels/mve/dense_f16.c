/* Fully connected layers in halves. */
#include "f16.h"

#include "dense.h"
