import com.aliyuncs.AcsResponse;
import com.aliyuncs.CommonRequest;
import com.aliyuncs.DefaultAcsClient;
import com.aliyuncs.IAcsClient;
import com.aliyuncs.RpcAcsRequest;
import com.aliyuncs.exceptions.ClientException;
import com.aliyuncs.http.MethodType;
import com.aliyuncs.http.ProtocolType;
import com.aliyuncs.profile.DefaultProfile;
import com.aliyuncs.transform.UnmarshallerContext;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The SDK before: V1 signatures. */
class OldClient implements Scenario.Client {
    private final String endpoint;
    private final IAcsClient sdk;

    OldClient(String endpoint, String key, String secret) {
        this.endpoint = endpoint;
        sdk = new DefaultAcsClient(DefaultProfile.getProfile("cn-hangzhou", key, secret));
    }

    public static void main(String[] arguments) throws Exception {
        Scenario.walk("java-old", DefaultAcsClient.class, arguments[0], OldClient::new);
    }

    @Override
    public String how(Scenario.Api api) {
        return isEns(api) ? "getAcsResponse" : "CommonRequest";
    }

    private static boolean isEns(Scenario.Api api) {
        return api.version().equals("2017-11-10");
    }

    @Override
    public Map<String, ?> call(Scenario.Api api, String action, Map<String, Object> parameters) throws Exception {
        try {
            String reply = isEns(api) ? callEns(api, action, parameters) : callCommon(api, action, parameters);
            return Scenario.JSON.<Map<String, ?>>fromJson(reply, Map.class);
        } catch (ClientException error) {
            throw new Scenario.Refused(error.getErrCode(), error);
        }
    }

    private String callEns(Scenario.Api api, String action, Map<String, Object> parameters) throws ClientException {
        EnsRequest request = new EnsRequest(api.version(), action);
        request.setSysEndpoint(endpoint);
        parameters.forEach((name, value) -> request.putQueryParameter(name, value));
        return sdk.getAcsResponse(request).text;
    }

    /** There are no classes for App Streaming. */
    private String callCommon(Scenario.Api api, String action, Map<String, Object> parameters)
            throws ClientException {
        CommonRequest request = new CommonRequest();
        request.setSysDomain(endpoint);
        request.setSysProtocol(ProtocolType.HTTP);
        request.setSysMethod(MethodType.POST);
        request.setSysVersion(api.version());
        request.setSysAction(action);
        parameters.forEach((name, value) -> request.putBodyParameter(name, value));
        return sdk.getCommonResponse(request).getData();
    }

    /** What the classes of ENS are made of, for any action: they add a setter for each parameter. */
    private static class EnsRequest extends RpcAcsRequest<EnsResponse> {
        EnsRequest(String version, String action) {
            super("Ens", version, action, "ens");
            setSysMethod(MethodType.POST);
            setSysProtocol(ProtocolType.HTTP);
        }

        @Override
        public Class<EnsResponse> getResponseClass() {
            return EnsResponse.class;
        }
    }

    /** Keeps the reply as it came. */
    public static class EnsResponse extends AcsResponse {
        private String text;

        @Override
        public EnsResponse getInstance(UnmarshallerContext context) {
            text = new String(context.getHttpResponse().getHttpContent(), StandardCharsets.UTF_8);
            return this;
        }
    }
}
