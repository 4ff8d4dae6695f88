'use strict';

// The SDK before, which has one call for everything: V1 signatures.

const { RPCClient } = require('@alicloud/pop-core');
const { Refused, walk } = require('./scenario');

function connect(endpoint, accessKeyId, accessKeySecret, api) {
  const client = new RPCClient({
    accessKeyId, accessKeySecret, endpoint: `http://${endpoint}`, apiVersion: api.version,
  });
  return async (action, parameters) => {
    try {
      return await client.request(action, parameters, { method: 'POST' });
    } catch (error) {
      throw error.entry ? new Refused(error, error.code) : error;
    }
  };
}

walk('javascript-old', '@alicloud/pop-core', 'request', connect);
