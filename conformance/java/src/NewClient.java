import com.aliyun.openapiutil.Client;
import com.aliyun.tea.TeaException;
import com.aliyun.teaopenapi.models.Config;
import com.aliyun.teaopenapi.models.OpenApiRequest;
import com.aliyun.teaopenapi.models.Params;
import com.aliyun.teautil.models.RuntimeOptions;
import java.util.Map;

/** The current SDK through its generic call, which its generated packages make, too: ACS3 signatures. */
class NewClient implements Scenario.Client {
    private final com.aliyun.teaopenapi.Client sdk;

    NewClient(String endpoint, String key, String secret) throws Exception {
        sdk = new com.aliyun.teaopenapi.Client(new Config()
                .setAccessKeyId(key)
                .setAccessKeySecret(secret)
                .setEndpoint(endpoint)
                .setProtocol("http"));
    }

    public static void main(String[] arguments) throws Exception {
        Scenario.walk("java-new", com.aliyun.teaopenapi.Client.class, arguments[0], NewClient::new);
    }

    @Override
    public String how(Scenario.Api api) {
        return "callApi";
    }

    @Override
    @SuppressWarnings("unchecked")
    public Map<String, ?> call(Scenario.Api api, String action, Map<String, Object> parameters) throws Exception {
        Params params = new Params()
                .setAction(action)
                .setVersion(api.version())
                .setProtocol("HTTP")
                .setPathname("/")
                .setMethod("POST")
                .setAuthType("AK")
                .setStyle("RPC")
                .setReqBodyType("formData")
                .setBodyType("json");
        OpenApiRequest request = api.parametersIn().equals("body")
                ? new OpenApiRequest().setBody(Client.parseToMap(parameters))
                : new OpenApiRequest().setQuery(Client.query(parameters));
        try {
            return (Map<String, ?>) sdk.callApi(params, request, new RuntimeOptions()).get("body");
        } catch (TeaException error) {
            throw new Scenario.Refused(error.getCode(), error);
        }
    }
}
