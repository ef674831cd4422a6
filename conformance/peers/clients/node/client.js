"use strict";
// Test program on kafkajs.

const { Kafka, logLevel } = require("kafkajs");
const { version } = require("kafkajs/package.json");
const codecs = require("./codecs");
const history = require("./history");
const { parse, connection } = require("./options");

const commands = {
  produce: (...all) => require("./produce").run(...all),
  consume: (...all) => require("./consume").run(...all),
  admin: (...all) => require("./admin").run(...all),
};

/** Turns true at SIGTERM or SIGINT; `asked` resolves then. */
function stopSignal() {
  const stop = { now: false };
  stop.asked = new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"]) {
      process.on(name, () => {
        stop.now = true;
        resolve();
      });
    }
  });
  return stop;
}

async function main() {
  if (process.argv.length < 3 || process.argv[2] === "--help") {
    console.error("usage: produce|consume|admin ... (see conformance/peers/README.md)");
    return process.argv.length < 3 ? 2 : 0;
  }
  const options = parse(process.argv.slice(2));
  const run = commands[options.command];
  if (!run) throw new Error(`no command ${options.command}`);
  const stop = stopSignal();
  await codecs.install();
  const kafka = new Kafka({ ...connection(options), logLevel: logLevel.NOTHING, logCreator: () => () => {} });
  return run(kafka, options, stop, `kafkajs ${version}`);
}

main()
  .catch((error) => {
    console.error("client:", error.message);
    return 2;
  })
  .then(async (code) => {
    await history.flush();
    process.exit(code);
  });
