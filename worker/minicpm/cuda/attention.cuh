// Attention of one new token in each row to all before it.
#pragma once

#include "bits.cuh"
#include "waiting.cuh"

struct Cache {
    bf16 *keys, *values;     // of a layer: (slots, KV_HEADS, room, D)
    const float *cos, *sin;  // (room, D)
    int room;
};

__device__ Piece find_piece(const i64 *slots, const i64 *lengths, int room) {
    Piece piece = {};
    const int row = blockIdx.x / (KV_HEADS * PIECES), index = blockIdx.x % PIECES;
    if (row >= ROWS) return piece;
    const int length = (int)lengths[row], count = min(PIECES, length / WARPS + 1);
    if (index >= count) return piece;
    piece.row = row;
    piece.kv_head = blockIdx.x / PIECES % KV_HEADS;
    piece.index = index;
    piece.count = count;
    piece.length = length;
    piece.start = (length + 1) * index / count;
    piece.end = (length + 1) * (index + 1) / count;
    piece.head = (slots[row] * KV_HEADS + piece.kv_head) * room * D;
    return piece;
}

// Keys and values of some of a warp's positions: four numbers of each in a thread.
struct Held {
    uint2 keys[POSITIONS], values[POSITIONS];
};

__device__ __forceinline__ void load_held(Held &held, const Piece &piece, int first,
                                          const Cache &cache) {
#pragma unroll
    for (int i = 0; i < POSITIONS; i++) {
        const int position = first + i * WARPS;
        if (position >= min(piece.end, piece.length)) continue;
        const i64 at = piece.head + (i64)position * D + threadIdx.x % 32 * 4;
        held.keys[i] = *(const uint2 *)(cache.keys + at);
        held.values[i] = *(const uint2 *)(cache.values + at);
    }
}

// Normalise a head, round it, turn its pairs; a warp does it. A thread has numbers 2i, 2i + 1 of
// each half: number n is turned with n + D / 2.
__device__ void turn_head(const bf16 *head, const bf16 *weight, float eps, const Cache &cache,
                          int position, float *out) {
    const int at = threadIdx.x % 32 * 2;
    const float2 one = split(__ldcg((const u32 *)(head + at)));
    const float2 two = split(__ldcg((const u32 *)(head + D / 2 + at)));
    const float2 cosine = *(const float2 *)(cache.cos + (i64)position * D + at);
    const float2 sine = *(const float2 *)(cache.sin + (i64)position * D + at);
    const float2 factor = split(*(const u32 *)(weight + at));
    const float2 other_factor = split(*(const u32 *)(weight + D / 2 + at));
    const float squares =
        sum_of_warp(one.x * one.x + one.y * one.y + two.x * two.x + two.y * two.y);
    const float scale = rsqrtf(squares / D + eps);
    const float ax = rounded(one.x * scale * factor.x), ay = rounded(one.y * scale * factor.y);
    const float bx = rounded(two.x * scale * other_factor.x);
    const float by = rounded(two.y * scale * other_factor.y);
    *(float2 *)(out + at) =
        make_float2(rounded(ax * cosine.x - bx * sine.x), rounded(ay * cosine.y - by * sine.y));
    *(float2 *)(out + D / 2 + at) =
        make_float2(rounded(bx * cosine.x + ax * sine.x), rounded(by * cosine.y + ay * sine.y));
}

// Make ready what a piece needs of the newest token; the last piece also puts it into the cache.
__device__ void begin_piece(Desk &desk, const Piece &piece, const Layer &layer, const Cache &cache,
                            const bf16 *qkv, float eps) {
    const int warp = threadIdx.x / 32, at = threadIdx.x % 32 * 4;
    const bf16 *row = qkv + piece.row * QKV;
    const i64 cell = piece.head + (i64)piece.length * D + at;
    if (warp < QUERIES) {
        const bf16 *head = row + (piece.kv_head * QUERIES + warp) * D;
        turn_head(head, layer.q_norm, eps, cache, piece.length, desk.query[warp]);
    } else if (piece.is_last() && warp == QUERIES) {
        turn_head(row + (HEADS + piece.kv_head) * D, layer.k_norm, eps, cache, piece.length,
                  desk.new_key);
        __syncwarp();
        const float4 key = *(const float4 *)(desk.new_key + at);
        *(uint2 *)(cache.keys + cell) = make_uint2(pair_of(key.x, key.y), pair_of(key.z, key.w));
    } else if (piece.is_last() && warp == QUERIES + 1) {
        const uint2 value =
            __ldcg((const uint2 *)(row + (HEADS + KV_HEADS + piece.kv_head) * D + at));
        const float2 a = split(value.x), b = split(value.y);
        *(float4 *)(desk.new_value + at) = make_float4(a.x, a.y, b.x, b.y);
        *(uint2 *)(cache.values + cell) = value;
    }
    together();
}

// A warp's positions → its maximum, sum and mix of each query, in shared memory.
__device__ void mix_positions(Desk &desk, const Piece &piece, Held &held, const Cache &cache,
                              float *mixes) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const float scale = LOG2_E * rsqrtf((float)D);
    float tops[QUERIES], totals[QUERIES] = {}, mix[QUERIES][4] = {};
    float4 query[QUERIES];
#pragma unroll
    for (int h = 0; h < QUERIES; h++)
        tops[h] = NOTHING, query[h] = *(const float4 *)&desk.query[h][lane * 4];
    for (int first = piece.start + warp; first < piece.end; first += WARPS * POSITIONS) {
        float scores[QUERIES][POSITIONS], values[POSITIONS][4];
#pragma unroll
        for (int i = 0; i < POSITIONS; i++) {
            const int position = first + i * WARPS;
            float4 key;
            if (position < piece.length) {
                const float2 a = split(held.keys[i].x), b = split(held.keys[i].y);
                key = make_float4(a.x, a.y, b.x, b.y);
                const float2 c = split(held.values[i].x), d = split(held.values[i].y);
                values[i][0] = c.x, values[i][1] = c.y, values[i][2] = d.x, values[i][3] = d.y;
            } else {  // the newest, or none: its score is not counted then, nor is a value
                const bool newest = position == piece.length && position < piece.end;
                key = *(const float4 *)&desk.new_key[lane * 4];
#pragma unroll
                for (int j = 0; j < 4; j++)
                    values[i][j] = newest ? desk.new_value[lane * 4 + j] : 0;
            }
#pragma unroll
            for (int h = 0; h < QUERIES; h++) {
                const float part = query[h].x * key.x + query[h].y * key.y + query[h].z * key.z +
                                   query[h].w * key.w;
                const float score = sum_of_warp(part) * scale;
                scores[h][i] = position < piece.end ? score : NOTHING;
            }
        }
#pragma unroll
        for (int h = 0; h < QUERIES; h++) {
            float top = tops[h];
#pragma unroll
            for (int i = 0; i < POSITIONS; i++) top = fmaxf(top, scores[h][i]);
            const float fade = exp2_fast(tops[h] - top);
            totals[h] *= fade, tops[h] = top;
#pragma unroll
            for (int j = 0; j < 4; j++) mix[h][j] *= fade;
#pragma unroll
            for (int i = 0; i < POSITIONS; i++) {
                const float weight = exp2_fast(scores[h][i] - top);
                totals[h] += weight;
#pragma unroll
                for (int j = 0; j < 4; j++) mix[h][j] += weight * values[i][j];
            }
        }
        load_held(held, piece, first + WARPS * POSITIONS, cache);
    }
#pragma unroll
    for (int h = 0; h < QUERIES; h++) {
        *(float4 *)(mixes + (warp * QUERIES + h) * D + lane * 4) =
            make_float4(mix[h][0], mix[h][1], mix[h][2], mix[h][3]);
        if (lane == 0) desk.tops[warp][h] = tops[h], desk.totals[warp][h] = totals[h];
    }
    together();
}

// Hand over the piece's mix: that of its warps.
__device__ void give_piece(const Desk &desk, const Piece &piece, const float *mixes,
                           Exchange &exchange, u32 time) {
    const int row = piece.row, kv_head = piece.kv_head, index = piece.index;
    for (int i = threadIdx.x; i < QUERIES * D; i += THREADS) {
        const int h = i / D;
        float top = desk.tops[0][h], total = 0, mix = 0;
#pragma unroll
        for (int w = 1; w < WARPS; w++) top = fmaxf(top, desk.tops[w][h]);
#pragma unroll
        for (int w = 0; w < WARPS; w++) {
            const float share = exp2_fast(desk.tops[w][h] - top);
            total += share * desk.totals[w][h];
            mix += share * mixes[w * QUERIES * D + i];
        }
        give(exchange.mixes[row][kv_head][index][i], mix, time);
        if (i % D) continue;
        give(exchange.tops[row][kv_head][index][h], top, time);
        give(exchange.totals[row][kv_head][index][h], total, time);
    }
    together();
}

// Add up the pieces of the kv head, first to last: each block that has one does so for a share of
// the numbers.
__device__ void join_pieces(const Piece &piece, float *room, Exchange &exchange, u32 time) {
    const int row = piece.row, kv_head = piece.kv_head, count = piece.count;
    const int first = QUERIES * D / 2 * piece.index / count * 2;
    const int numbers = QUERIES * D / 2 * (piece.index + 1) / count * 2 - first;
    float *mixes = room, *tops = room + count * numbers, *totals = tops + count * QUERIES;
    for (int i = threadIdx.x; i < count * numbers; i += THREADS)
        mixes[i] = get(exchange.mixes[row][kv_head][i / numbers][first + i % numbers], time);
    for (int i = threadIdx.x; i < count * QUERIES; i += THREADS) {
        tops[i] = get(exchange.tops[row][kv_head][i / QUERIES][i % QUERIES], time);
        totals[i] = get(exchange.totals[row][kv_head][i / QUERIES][i % QUERIES], time);
    }
    together();
    for (int i = threadIdx.x * 2; i < numbers; i += THREADS * 2) {
        const int h = (first + i) / D;
        float top = NOTHING, total = 0, one = 0, two = 0;
        for (int p = 0; p < count; p++) top = fmaxf(top, tops[p * QUERIES + h]);
#pragma unroll 4
        for (int p = 0; p < count; p++) {
            const float share = exp2_fast(tops[p * QUERIES + h] - top);
            total += share * totals[p * QUERIES + h];
            one += share * mixes[p * numbers + i], two += share * mixes[p * numbers + i + 1];
        }
        *(u32 *)&exchange.mixed[row][kv_head * QUERIES * D + first + i] =
            pair_of(one / total, two / total);
    }
}
