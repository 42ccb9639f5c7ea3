// Matrix products of few rows with what is fetched, and what is done with their inputs and outputs.
#pragma once

#include "bits.cuh"
#include "waiting.cuh"

// Turn round what four lanes have, 4 × 4 bytes of `high` and of `low`: byte j of lane i becomes
// byte i of lane j. They are 8 lanes apart; `quarter` is a lane's place among them.
__device__ __forceinline__ void turn_round(u32 &high, u32 &low, int quarter) {
    const bool late = quarter / 2, odd = quarter % 2;
    u32 sent = __byte_perm(high, low, late ? 0x5410 : 0x7632);
    u32 got = __shfl_xor_sync(~0u, sent, 16);
    high = late ? __byte_perm(got, high, 0x7610) : __byte_perm(high, got, 0x5410);
    low = late ? __byte_perm(got, low, 0x7632) : __byte_perm(low, got, 0x7610);
    sent = __byte_perm(high, low, odd ? 0x6420 : 0x7531);
    got = __shfl_xor_sync(~0u, sent, 8);
    high = odd ? __byte_perm(got, high, 0x7150) : __byte_perm(high, got, 0x5240);
    low = odd ? __byte_perm(got, low, 0x7352) : __byte_perm(low, got, 0x7260);
}

// Make a row of LENGTH numbers the inputs of the next product. Quad i of a thread is four numbers
// from 4 (THREADS · i + thread) on, so that a warp has a group of each.
//
// Byte j of a weight's word c, of its lower nibbles, is for input 32j + c of a group; of its upper
// ones for 32j + 16 + c. Words of inputs are laid out alike.
template <int LENGTH, int COUNT>
__device__ __forceinline__ void put(Desk &desk, int row, const float4 (&quads)[COUNT]) {
    const int lane = threadIdx.x % 32;
    float tops[COUNT];
    u32 bits[COUNT][4];
    int sums[COUNT];
#pragma unroll
    for (int i = 0; i < COUNT; i++) {  // as bits, infinities and what is no number are the greatest
        const u32 one =
            max(__float_as_uint(quads[i].x) & 0x7FFFFFFF, __float_as_uint(quads[i].y) & 0x7FFFFFFF);
        const u32 two =
            max(__float_as_uint(quads[i].z) & 0x7FFFFFFF, __float_as_uint(quads[i].w) & 0x7FFFFFFF);
        tops[i] = __uint_as_float(__reduce_max_sync(~0u, max(one, two)));
    }
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        const float per = tops[i] > 0 ? __fdividef(32512, tops[i]) : 0;
        constexpr float WHOLE = 12582912;  // what is added to it is rounded into the last bits
        bits[i][0] = __float_as_uint(quads[i].x * per + WHOLE);
        bits[i][1] = __float_as_uint(quads[i].y * per + WHOLE);
        bits[i][2] = __float_as_uint(quads[i].z * per + WHOLE);
        bits[i][3] = __float_as_uint(quads[i].w * per + WHOLE);
        const u32 sum = bits[i][0] + bits[i][1] + bits[i][2] + bits[i][3] - 4 * 0x4B400000u;
        sums[i] = __reduce_add_sync(~0u, (int)sum);
    }
#pragma unroll
    for (int i = 0; i < COUNT; i++) {  // low bytes count from −128 to 127
        const u32 *b = bits[i];
        u32 low =
            __byte_perm(__byte_perm(b[0], b[1], 0x0040), __byte_perm(b[2], b[3], 0x0040), 0x5410);
        u32 high = __byte_perm(__byte_perm(b[0] + 128, b[1] + 128, 0x0051),
                               __byte_perm(b[2] + 128, b[3] + 128, 0x0051), 0x5410);
        turn_round(high, low, lane / 8);
        const int group = (i * THREADS + threadIdx.x) * 4 / GROUP;
        if (group >= LENGTH / GROUP) continue;
        const int at = group * GROUP + lane / 4 % 2 * 64 + lane % 4 * 16 + lane / 8 * 4;
        *(u32 *)&desk.inputs[row][0][at] = high;
        *(u32 *)&desk.inputs[row][1][at] = low;
        // What is too large to be divided by counts as infinite.
        const float scale = tops[i] > 8e37f ? -NOTHING : tops[i] / 32512;
        if (lane == 0) desk.groups[row][group] = {scale, sums[i]};
    }
}

__device__ __forceinline__ uint4 load16(u32 at) {
    uint4 loaded;
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(loaded.x), "=r"(loaded.y), "=r"(loaded.z), "=r"(loaded.w)
                 : "r"(at));
    return loaded;
}

__device__ __forceinline__ u32 load4(u32 at) {
    u32 loaded;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(loaded) : "r"(at));
    return loaded;
}

// What a warp multiplies in one turn: 16 outputs, a group of inputs. g = lane / 4, q = lane % 4.
struct Hand {
    uint4 upper, lower;  // words 4q … 4q + 3 of outputs g and g + 8
    u32 upper_shared, lower_shared;
    uint4 even, odd;  // inputs for lower and upper nibbles, of line g; zero where there is none
    uint2 group;      // of row q
};

// Addresses in shared memory, of what the thread takes.
__device__ __forceinline__ void load(Hand &hand, u32 words, u32 scales, u32 inputs, u32 group) {
    hand.upper = load16(words);
    hand.lower = load16(words + TILE_BYTES / 2);
    hand.upper_shared = load4(scales);
    hand.lower_shared = load4(scales + SHARED_BYTES / 2);
    if (threadIdx.x % 32 / 4 < 2 * ROWS) {
        hand.even = load16(inputs);
        hand.odd = load16(inputs + 64);
    }
    if (threadIdx.x % 4 < ROWS)
        asm volatile("ld.shared.v2.u32 {%0, %1}, [%2];"
                     : "=r"(hand.group.x), "=r"(hand.group.y)
                     : "r"(group));
}

__device__ __forceinline__ float scale_of(u32 shared) {
    float scale;
    asm("{.reg .b16 low, high;\nmov.b32 {low, high}, %1;\ncvt.f32.f16 %0, high;}"
        : "=f"(scale)
        : "r"(shared));
    return scale;
}

__device__ __forceinline__ void multiply_add(int (&sum)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0,
                                             u32 b1) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32"
        " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(sum[0]), "+r"(sum[1]), "+r"(sum[2]), "+r"(sum[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// Add a group's products for row q to outputs g and g + 8. The upper nibbles count 16 times.
__device__ __forceinline__ void add_group(float (&total)[2], const Hand &hand) {
    constexpr u32 M = 0x0F0F0F0F;
    const uint4 &u = hand.upper, &l = hand.lower;
    int even[4] = {}, odd[4] = {};
    multiply_add(even, u.x & M, l.x & M, u.y & M, l.y & M, hand.even.x, hand.even.y);
    multiply_add(odd, u.x & ~M, l.x & ~M, u.y & ~M, l.y & ~M, hand.odd.x, hand.odd.y);
    multiply_add(even, u.z & M, l.z & M, u.w & M, l.w & M, hand.even.z, hand.even.w);
    multiply_add(odd, u.z & ~M, l.z & ~M, u.w & ~M, l.w & ~M, hand.odd.z, hand.odd.w);
    const int high_upper = even[0] + (odd[0] >> 4), low_upper = even[1] + (odd[1] >> 4);
    const int high_lower = even[2] + (odd[2] >> 4), low_lower = even[3] + (odd[3] >> 4);
    const int inputs = (int)hand.group.y;
    const float scale = __uint_as_float(hand.group.x);
    const int upper = high_upper * 256 + low_upper - (int)(hand.upper_shared & 15) * inputs;
    const int lower = high_lower * 256 + low_lower - (int)(hand.lower_shared & 15) * inputs;
    total[0] += (float)upper * (scale_of(hand.upper_shared) * scale);
    total[1] += (float)lower * (scale_of(hand.lower_shared) * scale);
}

// Multiply what is fetched of a weight with `inputs`; leaves each warp's sums in `sums`. Several
// turns at a time, so that one's waiting is the others' working.
template <class P>
__device__ void multiply(Shared &shared, Turn &turn) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
    const int part = warp / P::UNITS, unit = warp % P::UNITS;
    const bool has = part < P::PARTS && unit % P::TILES < P::tiles(blockIdx.x);
    const int start = P::first_group(part), count = has ? P::first_group(part + 1) - start : 0;
    const u32 words = address(shared.slots) + (part * P::UNITS + unit) * TILE_BYTES + lane * 16;
    const u32 scales = address(shared.slots) + WARPS * TILE_BYTES +
                       (part * P::UNITS + unit) * SHARED_BYTES + g * 4;
    u32 inputs = address(shared.desk.inputs) + g * LINE + start * GROUP + q * 16;
    u32 group = address(shared.desk.groups) + (q * (WIDEST / GROUP) + start) * sizeof(Group);
    float total[2] = {};
    Hand hands[TURNS_AT_ONCE] = {};
#pragma unroll 1
    for (int i = 0; i < P::TURNS; i += TURNS_AT_ONCE) {
        Turn next = turn;
#pragma unroll
        for (int j = 0; j < TURNS_AT_ONCE; j++) {
            if (i + j >= P::TURNS) break;
            await(shared.full[next.slot], next.parity);
            const u32 slot = next.slot * SLOT_BYTES;
            if (i + j < count)
                load(hands[j], words + slot, scales + slot, inputs + j * GROUP,
                     group + j * sizeof(Group));
            next.next();
        }
#pragma unroll
        for (int j = 0; j < TURNS_AT_ONCE; j++)
            if (i + j < count) add_group(total, hands[j]);
        __syncwarp();
#pragma unroll
        for (int j = 0; j < TURNS_AT_ONCE; j++) {
            if (i + j >= P::TURNS) break;
            if (lane == 0) arrive(shared.empty[turn.slot]);
            turn.next();
        }
        inputs += TURNS_AT_ONCE * GROUP, group += TURNS_AT_ONCE * sizeof(Group);
    }
    if (q < ROWS) {
        shared.desk.sums[warp][q][g] = total[0];
        shared.desk.sums[warp][q][g + 8] = total[1];
    }
    together();
}

// The sum of a tile's parts, in their order, for one row and output, rounded.
template <class P>
__device__ __forceinline__ float whole(const Desk &desk, int unit, int row, int output) {
    float sum = 0;
#pragma unroll
    for (int part = 0; part < P::PARTS; part++)
        sum += desk.sums[part * P::UNITS + unit][row][output];
    return rounded(sum);
}

// Store the block's outputs to (ROWS, OUTPUTS).
template <class P>
__device__ void store(const Desk &desk, bf16 *out) {
    const int first = P::first_tile(blockIdx.x) * TILE, count = P::tiles(blockIdx.x) * TILE / 2;
    for (int i = threadIdx.x; i < ROWS * count; i += THREADS) {
        const int row = i / count, output = i % count * 2, unit = output / TILE, at = output % TILE;
        const u32 pair = pair_of(whole<P>(desk, unit, row, at), whole<P>(desk, unit, row, at + 1));
        *(u32 *)(out + row * P::OUTPUTS + first + output) = pair;
    }
}

__device__ __forceinline__ float silu(float gate) {
    return __fdividef(gate, 1 + exp2_fast(-gate * LOG2_E));
}

// Store silu(gate) · up.
__device__ void store_gated(const Desk &desk, bf16 *out) {
    typedef GateUpProduct P;
    const int first = P::first_tile(blockIdx.x) * TILE, count = P::tiles(blockIdx.x) * TILE / 2;
    for (int i = threadIdx.x; i < ROWS * count; i += THREADS) {
        const int row = i / count, output = i % count * 2, unit = output / TILE, at = output % TILE;
        float numbers[2];
#pragma unroll
        for (int j = 0; j < 2; j++)
            numbers[j] = silu(whole<P>(desk, unit, row, at + j)) *
                         whole<P>(desk, P::TILES + unit, row, at + j);
        *(u32 *)(out + row * FFN + first + output) = pair_of(numbers[0], numbers[1]);
    }
}

// ---- Between the products ----

constexpr int QUADS =
    (HIDDEN / 4 + THREADS - 1) / THREADS;  // of the stream's numbers, for a thread

struct NormWeight {
    uint2 quads[QUADS];
};

// Read early what is multiplied when all have met.
__device__ __forceinline__ NormWeight load_norm(const bf16 *weight) {
    NormWeight loaded = {};
#pragma unroll
    for (int i = 0; i < QUADS; i++) {
        const int k = (i * THREADS + threadIdx.x) * 4;
        if (k < HIDDEN) loaded.quads[i] = *(const uint2 *)(weight + k);
    }
    return loaded;
}

// stream += update (ROWS, HIDDEN), rounded; inputs = that normalised by its root mean square.
__device__ void normalise(Desk &desk, const bf16 *update, const NormWeight &weight, float eps) {
    uint2 stream[ROWS][QUADS] = {};
#pragma unroll
    for (int row = 0; row < ROWS; row++) {
        uint2 more[QUADS] = {};
        float squares = 0;
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            const int k = (i * THREADS + threadIdx.x) * 4;
            if (update && k < HIDDEN) more[i] = __ldcg((const uint2 *)(update + row * HIDDEN + k));
        }
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            const int k = (i * THREADS + threadIdx.x) * 4;
            if (k >= HIDDEN) continue;
            uint2 &quad = stream[row][i] = *(const uint2 *)(desk.stream[row] + k);
            if (update) {
                quad = make_uint2(sum_of_pairs(quad.x, more[i].x), sum_of_pairs(quad.y, more[i].y));
                *(uint2 *)(desk.stream[row] + k) = quad;
            }
            const float2 a = split(quad.x), b = split(quad.y);
            squares += a.x * a.x + a.y * a.y + b.x * b.x + b.y * b.y;
        }
        squares = sum_of_warp(squares);
        if (threadIdx.x % 32 == 0) desk.squares[row][threadIdx.x / 32] = squares;
    }
    together();
#pragma unroll
    for (int row = 0; row < ROWS; row++) {
        float all = 0;
#pragma unroll
        for (int i = 0; i < WARPS; i++) all += desk.squares[row][i];
        const float scale = rsqrtf(all / HIDDEN + eps);
        float4 normed[QUADS];
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            const float2 a = split(stream[row][i].x), b = split(stream[row][i].y);
            const float2 c = split(weight.quads[i].x), d = split(weight.quads[i].y);
            normed[i].x = rounded(a.x * scale * c.x), normed[i].y = rounded(a.y * scale * c.y);
            normed[i].z = rounded(b.x * scale * d.x), normed[i].w = rounded(b.y * scale * d.y);
        }
        put<HIDDEN>(desk, row, normed);
    }
    together();
}

// inputs = what all blocks have written to (ROWS, LENGTH).
template <int LENGTH>
__device__ void take(Desk &desk, const bf16 *from) {
    constexpr int COUNT = (LENGTH / 4 + THREADS - 1) / THREADS;
#pragma unroll 1
    for (int row = 0; row < ROWS; row++) {
        uint2 quads[COUNT] = {};
        float4 numbers[COUNT];
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const int k = (i * THREADS + threadIdx.x) * 4;
            if (k < LENGTH) quads[i] = __ldcg((const uint2 *)(from + row * LENGTH + k));
        }
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const float2 a = split(quads[i].x), b = split(quads[i].y);
            numbers[i] = make_float4(a.x, a.y, b.x, b.y);
        }
        put<LENGTH>(desk, row, numbers);
    }
    together();
}
