'use strict';

// The current SDK through its generic call, which its generated packages make, too: ACS3 signatures.

const core = require('@alicloud/openapi-core');
const { RuntimeOptions } = require('@darabonba/typescript');
const { Refused, walk } = require('./scenario');

const { default: Client, AlibabaCloudError, OpenApiUtil, $OpenApiUtil } = core;

function connect(endpoint, accessKeyId, accessKeySecret, api) {
  const client = new Client(new $OpenApiUtil.Config({ accessKeyId, accessKeySecret, endpoint, protocol: 'http' }));
  return async (action, parameters) => {
    const params = new $OpenApiUtil.Params({
      action, version: api.version, protocol: 'HTTP', pathname: '/', method: 'POST', authType: 'AK',
      style: 'RPC', reqBodyType: 'formData', bodyType: 'json',
    });
    const request = new $OpenApiUtil.OpenApiRequest(
      api.parameters_in === 'body'
        ? { body: OpenApiUtil.parseToMap(parameters) }
        : { query: OpenApiUtil.query(parameters) },
    );
    try {
      return (await client.callApi(params, request, new RuntimeOptions({}))).body;
    } catch (error) {
      throw error instanceof AlibabaCloudError ? new Refused(error, error.code) : error;
    }
  };
}

walk('javascript-new', '@alicloud/openapi-core', 'callApi', connect);
