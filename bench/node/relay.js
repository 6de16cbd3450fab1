// amqplib doing the hop: confirm callbacks, many in flight, each message acknowledged when confirmed.
// A child of bench/children.py: spec on the first line of input, "ready", "go", end of input.
'use strict';

const readline = require('node:readline');
const amqp = require('amqplib');
const { DIGEST, passedOn } = require('./mapping.js');

const PREFETCH = 500;

async function main() {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const spec = JSON.parse((await lines.next()).value);
  const connection = await amqp.connect(spec.url);
  const channel = await connection.createConfirmChannel();
  await channel.prefetch(PREFETCH);
  console.log('ready');
  await lines.next();
  await channel.consume(spec.source, (message) => {
    const { headers, body } = passedOn(message.properties.headers[DIGEST], message.content);
    const options = { persistent: true, contentType: 'application/json', headers };
    channel.publish(spec.exchange, spec.key, body, options, (error) => {
      if (error) throw error;
      channel.ack(message);
    });
  });
  await lines.next();
  await channel.close();
  await connection.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
