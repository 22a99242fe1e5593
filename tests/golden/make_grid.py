"""A HEIC of four tiles in a grid, turned a quarter against the clock, from a HEIC of one."""
import struct, sys
def boxes(b):
    at = 0
    while at < len(b):
        n = struct.unpack(">I", b[at:at+4])[0]
        yield b[at+4:at+8], b[at+8:at+n]
        at += n
def box(name, body): return struct.pack(">I", len(body) + 8) + name + body
src = open(sys.argv[1], "rb").read()
meta = dict(boxes(src))[b"meta"][4:]
parts = dict(boxes(meta))
hvcc = dict(boxes(dict(boxes(parts[b"iprp"]))[b"ipco"]))[b"hvcC"]
data = dict(boxes(src))[b"mdat"]
N = 4
infe = lambda i, k: box(b"infe", b"\2\0\0\0" + struct.pack(">HH", i, 0) + k + b"\0")
iinf = box(b"iinf", b"\0\0\0\0" + struct.pack(">H", N + 1) + b"".join(infe(i, b"hvc1") for i in range(1, N + 1)) + infe(N + 1, b"grid"))
iref = box(b"iref", b"\0\0\0\0" + box(b"dimg", struct.pack(">HH", N + 1, N) + b"".join(struct.pack(">H", i) for i in range(1, N + 1))))
ispe = lambda w, h: box(b"ispe", struct.pack(">III", 0, w, h))
W, H = 120, 100
ipco = box(b"ipco", box(b"hvcC", hvcc) + ispe(64, 64) + ispe(W, H) + box(b"irot", b"\1"))
ipma = box(b"ipma", b"\0\0\0\0" + struct.pack(">I", N + 1) + b"".join(struct.pack(">HB", i, 2) + b"\x81\x02" for i in range(1, N + 1)) + struct.pack(">HB", N + 1, 2) + b"\x03\x84")
grid = struct.pack(">BBBBHH", 0, 0, 1, 1, W, H)
idat = box(b"idat", grid)
def build(start):
    iloc = b"\1\0\0\0\x44\0" + struct.pack(">H", N + 1)
    for i in range(N):
        iloc += struct.pack(">HHHHII", i + 1, 0, 0, 1, start + i * len(data), len(data))
    iloc += struct.pack(">HHHHII", N + 1, 1, 0, 1, 0, len(grid))
    m = box(b"meta", b"\0\0\0\0" + box(b"hdlr", b"\0" * 8 + b"pict" + b"\0" * 13) + box(b"pitm", b"\0\0\0\0" + struct.pack(">H", N + 1)) + box(b"iloc", iloc) + iinf + iref + box(b"iprp", ipco + ipma) + idat)
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + m
head = build(0)
out = build(len(head) + 8) + box(b"mdat", data * N)
open(sys.argv[2], "wb").write(out)
