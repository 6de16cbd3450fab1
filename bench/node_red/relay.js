// Node-RED doing the hop: source node, function node, sink node; each message acknowledged when confirmed.
// A child of bench/children.py: spec on the first line of input, "ready", "go", end of input.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const amqp = require('amqplib');
const RED = require('node-red');
const { DIGEST, passedOn } = require('./mapping.js');

const FUNCTION = `
const hop = global.get('passedOn')(msg.headers['${DIGEST}'], msg.payload);
msg.headers = hop.headers;
msg.payload = hop.body;
return msg;
`;
const FLOW = [
  { id: 'flow', type: 'tab', label: 'hop' },
  { id: 'source', z: 'flow', type: 'bench source', wires: [['hop']] },
  { id: 'hop', z: 'flow', type: 'function', func: FUNCTION, outputs: 1, libs: [], wires: [['sink']] },
  { id: 'sink', z: 'flow', type: 'bench sink', wires: [] },
];

async function main() {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const spec = JSON.parse((await lines.next()).value);
  const connection = await amqp.connect(spec.url);
  const channel = await connection.createConfirmChannel();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shuniu-node-red-'));
  fs.writeFileSync(path.join(folder, 'flows.json'), JSON.stringify(FLOW));
  let begin;
  const begun = new Promise((resolve) => { begin = resolve; });
  const started = new Promise((resolve) => RED.events?.once('flows:started', resolve));
  RED.init(http.createServer(), {
    userDir: folder,
    flowFile: 'flows.json',
    nodesDir: path.join(__dirname, 'nodes'),
    httpAdminRoot: false,
    httpNodeRoot: false,
    telemetry: { enabled: false, updateNotification: false },
    logging: { console: { level: 'off' } },
    functionGlobalContext: { passedOn, bench: { channel, spec, begun } },
  });
  await RED.start();
  await started;
  console.log('ready');
  await lines.next();
  begin();
  await lines.next();
  await RED.stop();
  await connection.close();
  fs.rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
