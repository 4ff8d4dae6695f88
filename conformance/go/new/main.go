// The current SDK through its generic call, which its generated packages make, too: ACS3 signatures.
package main

import (
	"errors"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"

	"calotype.test/conformance/scenario"
)

const module = "github.com/alibabacloud-go/darabonba-openapi/v2"

type client struct{ *openapi.Client }

func main() {
	scenario.Walk("go-new", []string{module}, func(endpoint, key, secret string) (scenario.Client, error) {
		sdk, err := openapi.NewClient(&openapiutil.Config{
			AccessKeyId:     &key,
			AccessKeySecret: &secret,
			Endpoint:        &endpoint,
			Protocol:        tea.String("http"),
		})
		return client{sdk}, err
	})
}

func (client) How(scenario.API, string) string { return "CallApi" }

func (client client) Call(api scenario.API, action string, parameters scenario.Object) (scenario.Object, error) {
	params := &openapiutil.Params{
		Action:      &action,
		Version:     &api.Version,
		Protocol:    tea.String("HTTP"),
		Pathname:    tea.String("/"),
		Method:      tea.String("POST"),
		AuthType:    tea.String("AK"),
		Style:       tea.String("RPC"),
		ReqBodyType: tea.String("formData"),
		BodyType:    tea.String("json"),
	}
	request := &openapiutil.OpenApiRequest{}
	if api.ParametersIn == "body" {
		request.Body = openapiutil.ParseToMap(parameters)
	} else {
		request.Query = openapiutil.Query(parameters)
	}
	reply, err := client.CallApi(params, request, &dara.RuntimeOptions{})
	var refused *tea.SDKError
	if errors.As(err, &refused) {
		return nil, &scenario.Refused{Code: tea.StringValue(refused.Code), Shown: refused.Error()}
	}
	if err != nil {
		return nil, err
	}
	return scenario.Plain(reply["body"])
}
