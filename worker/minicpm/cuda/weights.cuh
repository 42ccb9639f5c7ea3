// Fetching the weights into the ring: what the fetching warps do, and nothing else.
#pragma once

#include "waiting.cuh"

__device__ __forceinline__ void fetch(void *to, const char *from, u32 bytes, u64 &full,
                                      u64 policy) {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint"
        " [%0], [%1], %2, [%3], %4;" ::"r"(address(to)),
        "l"(from), "r"(bytes), "r"(address(&full)), "l"(policy)
        : "memory");
}

// Fetch the block's share of a weight, or of its scales and zeros: in each turn the next group of
// every part.
template <class P>
__device__ void fetch_product(Shared &shared, Turn &turn, Turn &landed, int &ahead,
                              const char *weight, bool is_scale, u64 policy) {
    const int lane = threadIdx.x % 32, block = blockIdx.x;
    const int first = P::first_tile(block), count = P::tiles(block);
    const int part = lane / P::SEGMENTS, segment = lane % P::SEGMENTS;
    const int start = P::first_group(part), end = P::first_group(part + 1);
    const int unit = is_scale ? SHARED_BYTES : TILE_BYTES, bytes = count * unit;
    const i64 stride = (i64)P::SEGMENTS * P::OUTPUTS / TILE * unit;
    const char *from = weight + start * stride + (segment * P::OUTPUTS / TILE + first) * unit;
    const int to =
        (is_scale ? WARPS * TILE_BYTES : 0) + (part * P::UNITS + segment * P::TILES) * unit;
    for (int i = 0; i < P::TURNS; i++) {
        const bool mine = part < P::PARTS && start + i < end && count;
        await(shared.empty[turn.slot], turn.parity ^ 1);
        if (ahead == UNDER_WAY) {
            await(shared.full[landed.slot], landed.parity);
            landed.next();
        } else {
            ahead++;
        }
        const u32 all = __reduce_add_sync(~0u, mine ? bytes : 0);
        if (lane == 0) expect(shared.full[turn.slot], all);
        __syncwarp();
        if (mine) fetch(shared.slots[turn.slot] + to, from, bytes, shared.full[turn.slot], policy);
        from += stride;
        turn.next();
    }
}

__device__ void fetch_all(Shared &shared, const Layer *layers, int count, bool is_scale) {
    Turn turn = {0, 0}, landed = {0, 0};
    int ahead = 0;
    u64 policy;  // each weight is read once a step
    asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
    for (int i = 0; i < count; i++) {
        const Layer &layer = layers[i];
        const char *qkv = is_scale ? layer.qkv_shared : layer.qkv_tiles;
        const char *o = is_scale ? layer.o_shared : layer.o_tiles;
        const char *gate_up = is_scale ? layer.gate_up_shared : layer.gate_up_tiles;
        const char *down = is_scale ? layer.down_shared : layer.down_tiles;
        fetch_product<QkvProduct>(shared, turn, landed, ahead, qkv, is_scale, policy);
        fetch_product<OutProduct>(shared, turn, landed, ahead, o, is_scale, policy);
        fetch_product<GateUpProduct>(shared, turn, landed, ahead, gate_up, is_scale, policy);
        fetch_product<DownProduct>(shared, turn, landed, ahead, down, is_scale, policy);
    }
}
