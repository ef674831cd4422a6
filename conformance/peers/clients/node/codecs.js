"use strict";
// kafkajs brings gzip alone; these are the other three, as Kafka frames them.

const { CompressionTypes, CompressionCodecs } = require("kafkajs");
const lz4 = require("lz4-napi");
const snappy = require("snappy");
const { ZstdCodec } = require("zstd-codec");

// Java clients cut snappy into blocks behind this header; librdkafka and others write one bare block. Both are read.
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER_BYTES = 16;

async function unsnap(buffer) {
  if (!buffer.subarray(0, XERIAL.length).equals(XERIAL)) return snappy.uncompress(buffer);
  const blocks = [];
  for (let at = XERIAL_HEADER_BYTES; at < buffer.length; ) {
    const size = buffer.readInt32BE(at);
    blocks.push(await snappy.uncompress(buffer.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return Buffer.concat(blocks);
}

/** Makes the codecs known to kafkajs. */
async function install() {
  const zstd = await new Promise((resolve) => ZstdCodec.run((codec) => resolve(new codec.Streaming())));
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: (encoder) => snappy.compress(encoder.buffer),
    decompress: unsnap,
  });
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: (encoder) => lz4.compressFrame(encoder.buffer),
    decompress: (buffer) => lz4.decompressFrame(buffer),
  });
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async (encoder) => Buffer.from(zstd.compress(encoder.buffer)),
    decompress: async (buffer) => Buffer.from(zstd.decompress(buffer)),
  });
}

const TYPES = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

module.exports = { install, TYPES };
