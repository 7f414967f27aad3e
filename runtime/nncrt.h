/* The runtime of emitted models: file formats, weights, checkpoints, data loading, threads,
 * progress. It knows nothing of the compiler and meets models only through the tables of nnc_abi.h,
 * those for a GPU through nnc_cuda_abi.h and nnc_device.h. */
#ifndef NNCRT_H
#define NNCRT_H

#include "nncrt_base.h"
#include "nncrt_files.h"
#include "nncrt_model.h"
#include "nncrt_train.h"

#endif
