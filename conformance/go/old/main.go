// The SDK before: its methods, and CommonRequest for the operations that it has no methods for. V1 signatures.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	appstream "github.com/aliyun/alibaba-cloud-sdk-go/services/appstream-center"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ens"

	"calotype.test/conformance/scenario"
)

const (
	module = "github.com/aliyun/alibaba-cloud-sdk-go"
	region = "cn-hangzhou"
)

type client struct{ endpoint, key, secret string }

// operation makes a call and gives the reply.
type operation func(client client, parameters scenario.Object) (any, error)

// typed has the operations of the scenario that this SDK has methods for, by version and action.
var typed = map[string]operation{
	"2017-11-10 DescribeSelfImages": method(
		ens.NewClientWithAccessKey, ens.CreateDescribeSelfImagesRequest, (*ens.Client).DescribeSelfImages),
	"2017-11-10 RunInstances": method(
		ens.NewClientWithAccessKey, ens.CreateRunInstancesRequest, (*ens.Client).RunInstances),
	"2017-11-10 ReleasePostPaidInstance": method(
		ens.NewClientWithAccessKey, ens.CreateReleasePostPaidInstanceRequest, (*ens.Client).ReleasePostPaidInstance),
	"2017-11-10 DeleteImage": method(
		ens.NewClientWithAccessKey, ens.CreateDeleteImageRequest, (*ens.Client).DeleteImage),
	"2021-09-01 CreateAppInstanceGroup": method(
		appstream.NewClientWithAccessKey, appstream.CreateCreateAppInstanceGroupRequest,
		(*appstream.Client).CreateAppInstanceGroup),
	"2021-09-01 DeleteAppInstanceGroup": method(
		appstream.NewClientWithAccessKey, appstream.CreateDeleteAppInstanceGroupRequest,
		(*appstream.Client).DeleteAppInstanceGroup),
}

func main() {
	scenario.Walk("go-old", []string{module}, func(endpoint, key, secret string) (scenario.Client, error) {
		return client{endpoint, key, secret}, nil
	})
}

func (client) How(api scenario.API, action string) string {
	if typed[api.Version+" "+action] != nil {
		return "typed"
	}
	return "CommonRequest"
}

func (client client) Call(api scenario.API, action string, parameters scenario.Object) (scenario.Object, error) {
	call := typed[api.Version+" "+action]
	if call == nil {
		call = common(api, action)
	}
	reply, err := call(client, parameters)
	var refused *sdkerrors.ServerError
	if errors.As(err, &refused) {
		// What follows are the headers of the reply.
		shown, _, _ := strings.Cut(refused.Error(), "\nRespHeaders:")
		return nil, &scenario.Refused{Code: refused.ErrorCode(), Shown: shown}
	}
	if err != nil {
		return nil, err
	}
	return scenario.Plain(reply)
}

// method gives the operation of a method. The fields of its request are all text, and named like the parameters.
func method[Client any, Request requests.AcsRequest, Reply any](
	connect func(region, key, secret string) (Client, error),
	create func() Request,
	call func(Client, Request) (Reply, error),
) operation {
	return func(client client, parameters scenario.Object) (any, error) {
		sdk, err := connect(region, client.key, client.secret)
		if err != nil {
			return nil, err
		}
		request := create()
		request.SetDomain(client.endpoint)
		request.SetScheme(requests.HTTP)
		fields, err := json.Marshal(texts(parameters))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(fields, request); err != nil {
			return nil, err
		}
		return call(sdk, request)
	}
}

func common(api scenario.API, action string) operation {
	return func(client client, parameters scenario.Object) (any, error) {
		sdk, err := sdk.NewClientWithAccessKey(region, client.key, client.secret)
		if err != nil {
			return nil, err
		}
		request := requests.NewCommonRequest()
		request.Method, request.Scheme, request.Domain = requests.POST, requests.HTTP, client.endpoint
		request.Version, request.ApiName = api.Version, action
		if api.ParametersIn == "body" {
			request.FormParams = texts(parameters)
		} else {
			request.QueryParams = texts(parameters)
		}
		reply, err := sdk.ProcessCommonRequest(request)
		if err != nil {
			return nil, err
		}
		return json.RawMessage(reply.GetHttpContentBytes()), nil
	}
}

func texts(parameters scenario.Object) map[string]string {
	texts := map[string]string{}
	for name, value := range parameters {
		texts[name] = fmt.Sprint(value)
	}
	return texts
}
