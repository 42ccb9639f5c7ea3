// Numbers and their bits.
#pragma once

#include "layout.cuh"

__device__ __forceinline__ float to_float(bf16 bits) { return __uint_as_float((u32)bits << 16); }

__device__ __forceinline__ bf16 to_bf16(float value) {
    bf16 bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

__device__ __forceinline__ float rounded(float value) { return to_float(to_bf16(value)); }

// Two numbers of a word, as a pair.
__device__ __forceinline__ float2 split(u32 pair) {
    return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xFFFF0000u));
}

__device__ __forceinline__ u32 pair_of(float first, float second) {
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
}

__device__ __forceinline__ u32 sum_of_pairs(u32 one, u32 two) {
    const float2 a = split(one), b = split(two);
    return pair_of(a.x + b.x, a.y + b.y);
}

__device__ __forceinline__ float exp2_fast(float value) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
    return result;
}

__device__ __forceinline__ float sum_of_warp(float value) {
#pragma unroll
    for (int step = 16; step; step /= 2) value += __shfl_xor_sync(~0u, value, step);
    return value;
}
