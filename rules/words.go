package rules

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// words are those that stand in almost every object and answer. OPA makes a term of each text it meets; of these it has one.
const words = `
apiVersion kind metadata name namespace labels annotations uid creationTimestamp generation resourceVersion spec status
selector matchLabels targetRef targetRefs group sectionName action rules from to when source operation key values notValues provider
principals notPrincipals requestPrincipals notRequestPrincipals namespaces notNamespaces serviceAccounts notServiceAccounts
ipBlocks notIpBlocks remoteIpBlocks notRemoteIpBlocks trustDomains notTrustDomains
hosts notHosts ports notPorts methods notMethods paths notPaths mtls mode portLevelMtls
ALLOW DENY AUDIT CUSTOM STRICT PERMISSIVE DISABLE UNSET GET POST PUT DELETE PATCH Service Gateway GatewayClass ServiceEntry Namespace Selector Mesh
AuthorizationPolicy PeerAuthentication RequestAuthentication security.istio.io/v1
object target by enforcedBy verdict reason message workloads failsOpen waits ztunnel waypoint gateway sidecar none Accepted
Enforced PartiallyEnforced NotEnforced DeniesAll OverDenies Pending Bypassable Unknown
serviceAccount principal hostNetwork running why port protocol ambient unknown default Pod
asked optsOut bound known askedBy ingress ready trafficType strict dangling policies openPorts closed guarded
phase params operation dryRun user old effects mesh now username groups extra admission audit scan CREATE UPDATE
deny skip patch msg path details severity subject remedy op value add remove replace test`

func init() { // when else, OPA does not allow
	ast.InternStringTerm(strings.Fields(words)...)
}
