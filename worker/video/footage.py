"""Decode any run of a stream's packets exactly as decoding the whole stream would."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.errors import BadFile, Unsupported
from worker.video.choosing import Span, gop_end
from worker.video.opening import open_container, prepare
from worker.video.packets import NO_PTS, PacketTable, VideoPacket, read_packet_table, stream_packets
from worker.video.source import Source

WORTH_A_SEEK = 400  # packets; reading on past fewer is quicker
SEEK_MARGINS_SECONDS = (0, 2, 20)  # how much earlier each attempt lands
PACKETS_TO_FIND_OUT = 100  # read at most so many to learn where a seek has landed


def read_table(source: Source, stream_index: int) -> PacketTable:
    """Return the packet table of a stream. Raises AppErrors."""
    container = open_container(source)
    with container:
        stream = _video_stream(container, stream_index)
        prepare(container, stream, frame_threads=False)
        return read_packet_table(container, stream)


class Footage:
    """An open file, its packet table and a decoder. Close it after use.

    Packets go to the decoder with their place in the table instead of their PTS, so that each
    picture tells which packet it came from, whatever the file's timestamps are like.
    """

    def __init__(
        self,
        source: Source,
        stream_index: int,
        table: PacketTable,
        frame_threads: bool,
        *,
        on_gpu: bool = False,
    ) -> None:
        """`on_gpu`: what the GPU's decoder can't do, or stumbles over, raises Unsupported."""
        self.table = table
        self._source = source
        self._stream_index = stream_index
        self._frame_threads = frame_threads
        self._on_gpu = on_gpu
        self._next = 0  # place in the table of the packet that the cursor gives next
        self._cursor: Iterator[VideoPacket] = iter(())
        self._open()

    def close(self) -> None:
        self._container.close()

    def pictures(
        self, span: Span, wanted: Collection[int] | None = None
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Yield (packet, picture) as pictures appear; packets that fail are left out.

        With `wanted`, other pictures that nothing refers to may be left out too, for speed.
        """
        decoded = self._decode(span, wanted if self.table.ordered else None)
        if self.table.ordered:
            yield from decoded
        else:
            yield from self._in_turn(span, decoded)

    def _in_turn(
        self, span: Span, decoded: Iterator[tuple[int, VideoFrame]]
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Give the n-th picture of each GOP the packet with the GOP's n-th PTS.

        The span's first GOP only leads in, unless it's the stream's first: it may lack pictures.
        """
        table = self.table
        lead_in = span.first if span.first > 0 else -1
        packets: dict[int, Iterator[int]] = {}
        for packet, picture in decoded:
            gop = table.gop_start(packet)
            if gop not in packets:
                full = [i for i in range(gop, gop_end(table, gop) + 1) if table.size[i]]
                packets[gop] = iter(sorted(full, key=table.pts.__getitem__))
            turn = next(packets[gop], None)
            if turn is not None and gop != lead_in:
                yield turn, picture

    def _decode(
        self, span: Span, wanted: Collection[int] | None
    ) -> Iterator[tuple[int, VideoFrame]]:
        codec = self._stream.codec_context
        codec.flush_buffers()  # what an abandoned run has left
        for index, packet in self._packets(span):
            if packet.size == 0:
                continue
            keep = wanted is None or index in wanted
            codec.skip_frame = "DEFAULT" if keep else "NONREF"
            packet.pts = index
            yield from self._feed(packet)
        yield from self._feed(None)

    def _feed(self, packet: "VideoPacket | None") -> list[tuple[int, VideoFrame]]:
        try:
            pictures = self._stream.codec_context.decode(packet)
            if self._on_gpu:
                self._check_size(pictures)
            return [(picture.pts, picture) for picture in pictures if picture.pts is not None]
        except MemoryError:
            raise
        except av.FFmpegError:
            if self._on_gpu:
                raise Unsupported("has packets that the GPU doesn't decode.") from None
            return []

    def _check_size(self, pictures: "Sequence[VideoFrame]") -> None:
        """Of what a file cuts off its pictures, FFmpeg leaves the left and the top on a GPU's."""
        codec = self._stream.codec_context
        if any((p.width, p.height) != (codec.width, codec.height) for p in pictures):
            raise Unsupported("has pictures cut at the left or top, which the GPU doesn't do.")

    def _packets(self, span: Span) -> Iterator[tuple[int, VideoPacket]]:
        """Yield (place in the table, packet). Raises BadFile."""
        due, restarted = span.first, False
        self._go_to(due)
        while due <= span.last:
            packet = next(self._cursor, None)
            if packet is None or not self._is_at(packet, self._next):
                if restarted:
                    raise BadFile("changed while it was being read. Upload it again.")
                self._reopen()
                restarted = True
                continue
            index = self._next
            self._next += 1
            if index == due:
                due += 1
                yield index, packet

    def _go_to(self, index: int) -> None:
        if self._next <= index <= self._next + WORTH_A_SEEK:
            return
        target = self.table.raw_pts[index]
        margins = () if target == NO_PTS else SEEK_MARGINS_SECONDS
        if not any(self._land(target - round(m / self.table.time_base), index) for m in margins):
            self._reopen()

    def _land(self, target: int, index: int) -> bool:
        """Seek; True if that led to the packet at `index` or to one before it."""
        with suppress(av.FFmpegError):
            self._container.seek(target, stream=self._stream)
            cursor = stream_packets(self._container, self._stream)
            for packet in islice(cursor, PACKETS_TO_FIND_OUT):
                place = self._locate(packet)
                if place is not None:
                    self._cursor = chain([packet], cursor)
                    self._next = place
                    return place <= index
        return False

    def _locate(self, packet: VideoPacket) -> int | None:
        """Return the packet's place in the table, None if it can't be told."""
        position = _position(packet)
        with suppress(ValueError):
            place = self.table.position.index(position)
            while place < len(self.table) and self.table.position[place] == position:
                if self._is_at(packet, place) and packet.pts == self.table.raw_pts[place]:
                    return place
                place += 1
        return None

    def _is_at(self, packet: VideoPacket, place: int) -> bool:
        table = self.table
        return (packet.size, _position(packet)) == (table.size[place], table.position[place])

    def _reopen(self) -> None:
        self._container.close()
        self._open()

    def _open(self) -> None:
        """Start reading at the first packet."""
        self._container = open_container(self._source, on_gpu=self._on_gpu)
        self._stream = _video_stream(self._container, self._stream_index)
        prepare(self._container, self._stream, self._frame_threads, on_gpu=self._on_gpu)
        self._cursor = stream_packets(self._container, self._stream)
        self._next = 0


def _position(packet: VideoPacket) -> int:
    return -1 if packet.pos is None else packet.pos


def _video_stream(container: InputContainer, index: int) -> VideoStream:
    for stream in container.streams.video:
        if stream.index == index:
            return stream
    raise BadFile("no longer holds the video that was found in it. Upload it again.")
