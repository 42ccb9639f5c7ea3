// Waiting: of a block's warps for each other and for what is fetched, of blocks for each other.
#pragma once

#include "layout.cuh"

__device__ __forceinline__ u32 address(const void *shared) {
    return (u32)__cvta_generic_to_shared(shared);
}

__device__ __forceinline__ void init(u64 &barrier, int count) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address(&barrier)), "r"(count));
}

__device__ __forceinline__ void arrive(u64 &barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(address(&barrier)) : "memory");
}

__device__ __forceinline__ void expect(u64 &barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address(&barrier)),
                 "r"(bytes)
                 : "memory");
}

__device__ __forceinline__ void await(u64 &barrier, u32 parity) {
    u32 done = 0;
    while (!done)
        asm volatile(
            "{.reg .pred p;\n"
            "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
            "selp.u32 %0, 1, 0, p;}"
            : "=r"(done)
            : "r"(address(&barrier)), "r"(parity)
            : "memory");
}

// All computing warps of the block; those that fetch take no part.
__device__ __forceinline__ void together() {
    asm volatile("bar.sync 1, %0;" ::"n"(THREADS) : "memory");
}

// A place in the ring, for those who fill and those who empty it.
struct Turn {
    int slot;
    u32 parity;
    __device__ void next() {
        if (++slot == SLOTS) slot = 0, parity ^= 1;
    }
};

// ---- Between blocks ----

// A few numbers for a few blocks go faster with their time in the same word: who needs one reads it
// until it is of the right time.
__device__ __forceinline__ void give(u64 &word, float number, u32 time) {
    const u64 bits = (u64)time << 32 | __float_as_uint(number);
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(&word), "l"(bits) : "memory");
}

__device__ __forceinline__ float get(const u64 &word, u32 time) {
    u64 seen;
    do asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(seen) : "l"(&word) : "memory");
    while ((u32)(seen >> 32) != time);
    return __uint_as_float((u32)seen);
}

// Before: what the block wrote for others. After `meet`: what all wrote can be read.
__device__ __forceinline__ void come(Exchange &exchange) {
    together();
    if (threadIdx.x == 0)
        asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(&exchange.ready) : "memory");
}

__device__ __forceinline__ void meet(Exchange &exchange, u32 &time) {
    time += BLOCKS;
    if (threadIdx.x == 0) {
        u32 seen;
        do
            asm volatile("ld.acquire.gpu.global.u32 %0, [%1];"
                         : "=r"(seen)
                         : "l"(&exchange.ready)
                         : "memory");
        while ((int)(seen - time) < 0);
    }
    together();
}
