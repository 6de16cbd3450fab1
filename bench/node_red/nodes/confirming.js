// AMQP nodes that acknowledge a message when what it led to is confirmed. The one for RabbitMQ that the npm
// registry has (node-red-contrib-amqp 0.4) consumes without acknowledging and publishes without confirms.
'use strict';

const PREFETCH = 500;

module.exports = (RED) => {
  function shared() {
    return RED.settings.functionGlobalContext.bench;
  }

  RED.nodes.registerType('bench source', function Source(config) {
    RED.nodes.createNode(this, config);
    const { channel, spec, begun } = shared();
    begun
      .then(() => channel.prefetch(PREFETCH))
      .then(() => channel.consume(spec.source, (message) => {
        this.send({
          payload: message.content,
          headers: message.properties.headers,
          confirmed: () => channel.ack(message),
        });
      }))
      .catch((error) => this.error(error));
  });

  RED.nodes.registerType('bench sink', function Sink(config) {
    RED.nodes.createNode(this, config);
    const { channel, spec } = shared();
    this.on('input', (msg, send, done) => {
      const options = { persistent: true, contentType: 'application/json', headers: msg.headers };
      channel.publish(spec.exchange, spec.key, msg.payload, options, (error) => {
        if (!error) msg.confirmed();
        done(error);
      });
    });
  });
};
