/* What the vector loops share.

   The loops are plain C that a compiler turns into vector code: no intrinsics, so that they are the
   same on x86-64 and aarch64. On x86-64, whose baseline is SSE2, a second version for AVX2 is
   chosen when the module is loaded. Without contraction to fused multiply-add (see setup.py) all
   versions give the same bits. */
#ifndef SEMANTIC_DETECTION_DISPATCH_H
#define SEMANTIC_DETECTION_DISPATCH_H

#include <stdint.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define VECTOR_LOOP static __attribute__((target_clones("default", "avx2")))
#else
#define VECTOR_LOOP static
#endif

#endif
