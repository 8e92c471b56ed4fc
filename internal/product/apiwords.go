package product

// apiWords are the words in the paths of the API, so that they can be told from
// ids and names in a path without a route. A slash marks those that an id or a name
// may follow.
const apiWords = `
abort abortAll abuse-reports/ access access_rules accessibilityTree account-settings account_mapping
accounts/ ack acls/ acm activate activation_check active-livestream active-session add address_maps/
addresses/ addressing advanced_tcp_protection advertisement ai ai-audit ai-controls ai-gateway
ai-search ai-security alerting allow_policies/ allowlist/ analytics analyze api_gateway appeal apply
apps/ archive argo asn/ asset/ assets/ assets-upload-session audio/ audit_ssh_settings auth
auto_origin_tls_kex batch batch_delete begin_verification behaviors bgp billing binary bindings/
block_senders/ bookmarks/ bot_management botnet_feed brand-protection browser/ browser-rendering
buckets/ bulk/ ca cache cache_reserve cache_reserve_clear calls cancel captions/ catalog-syncs/
catch_all categories/ certificate_authorities certificate_pack/ certificate_packs/ certificates/
cf1_sites/ cf_interconnects/ cfd_tunnel/ challenges chat check-missing classification
client_certificates/ clip cloud cloud_connector cloud_regions/ cloudflare_source/ cloudforce-one cmb
cni cnis/ commands completions config/ configs/ configuration configurations connect connections
connectivity connectivity-precheck connectivity_settings connectors/ consumers/ content
content-findings content-upload-scan content_list control copy cors crawl/ create credential
credential_sets/ credentials/ csam_scanner_third_party ct custom/ custom-providers/ custom-topics
custom_certificates/ custom_csrs/ custom_hostnames/ custom_ns/ custom_pages/ custom_prompt_topics/
custom_trust_store/ d1 data-security data_classes/ data_tag_categories/ data_tags/ database/
dataset/ datasets/ deactivate delegations/ delete delete_by_ids deployment-groups/ deployments/
destination destinations/ detections/ devices devtools dex dex_tests/ diagnostics direct_upload
directory disable disconnect discover discovery dismiss dispatch dlp dls dmarc-reports dns
dns_firewall/ dns_records/ dns_settings dnssec doh domain-check domains/ download downloads
duplicate edge email email-security enable endpoint-healthchecks/ entries/ entrypoint environments/
evaluate evaluations/ event_notifications event_subscriptions event_tag/ events/ exclude exists
explorer export expression-template failover fallback_domains fallback_origin fallthrough filters/
findings/ finetune-assets finetunes/ firewall flag flags/ flagship force_axfr force_notify
fraud_detection gateway gateway_ca/ gateways/ generate get get_by_ids google-tag-gateway graphql
gre_tunnels/ groups/ healthchecks/ heartbeat history hold hostname/ hostname_associations hostnames/
hyperdrive iam identity_providers/ idp_federation_grants/ ignore images impersonation_registry/
import include incoming indexes/ indicator-feeds/ infrastructure ingresses/ initial_resolved_ip/
insert insights/ instances/ integration/ integrations/ intel interconnects/ interrupts investigate/
invites/ ip-profiles/ ipfs_universal_path ips/ ipsec_tunnels/ item items/ jobs/ json
keyless_certificates/ keys/ kick kick-all kit/ kv labels lans/ leaked-credential-checks level_order
levels/ lifecycle links lists/ live-tail live_inputs/ livestreams loa_documents load_balancers/
locations/ lock lockdowns/ logging logo logos/ logpush logs/ magic magic_wan_address_space
maintenance-configs managed/ managed_headers management markdown mcp meetings/ members/ memberships/
message/ messages metadata_index miscategorization mitigations mnm monitor_groups/ monitors/ moq
move mtls_certificates/ namespaces/ network/ networks/ new oauth_clients/ objects/ observability one
onramps/ operation operations/ order organizations/ origin origin_post_quantum_encryption
origin_tls_client_auth/ origin_tls_compliance_modes outgoing outputs/ overrides/ ownership/
pacfiles/ packages/ page_shield pagerduty pagerules/ pages/ participants/ patterns pause payload_log
payloads/ pcaps/ pdf peek peers/ permissions phases/ physical-devices/ pipelines/ plan policies/
policy/ policy-preview policy-tests poll pools/ portals/ posture/ precursor predefined/
prefix_bindings/ prefixes/ presets/ preview/ prioritize priority/ profile profiles projects/
provider_configs providers/ proxy_endpoints/ psk psk_generate publish pull purge purge_build_cache
purge_cache queries/ query/ queues/ r2/ r2-catalog/ radar ramps/ rate_limits/ raw/ realtime
recipients/ reclassify recordings/ refresh regional_hostnames/ regional_services
regional_tiered_cache registrar registrar-sandbox registrations/ relate/ relationships relays/
release remediations remove request-tracer requests/ reset reset_expiration reset_finding_severity
resilience resource_groups/ resources/ restore resume retention retry reverse_dns review revoke
revoke_tokens revoke_user robots rollback rotate rotate_secret rotate_seed routes/ routing rule/
rules/ rulesets/ rum run/ saml_certificate saml_certificates/ scan scans schedule/ schedules
schema_validation schemas/ scrape screenshot script-settings scripts/ search seats secondary_dns
secrets/ secrets-bulk secrets_store security-center securitytxt send send_raw sending
sending_domain_restrictions/ sensitivity_groups/ servers/ service_tokens/ services/ sessions/
settings/ shared shares/ silences/ sinkholes/ sinks/ sippy site_info/ sites/ slurper smart_routing
snapshot snippet_rules snippets/ source spectrum speed_api spending-limit sql ssl sso_connectors/
status stop storage stores/ stream/ streams/ subdomain subdomains/ submit subnets subscription
subscriptions/ summary syn_protection sync tables/ tags/ tails/ target target_environments/ targets/
tcp_flow_protection tcp_protection_status teamnet telemetry temp-access-credentials tenants/ tests
tiered_cache_smart_topology_enable tiered_caching time_travel timeseries token token_validation
tokens/ tomarkdown top-n topup total_tls trace traceroute track transformations_allowed_origins
transformations_c2pa trigger trusted_domains/ tsigs/ tune_finding_severity turn_keys/ ua_rules/
unarchive unignore universal unlock unrevoke upload/ upsert upsert-hashes url_ignore_patterns/
url_normalization urlscanner user/ user_groups/ user_schemas/ users/ v1/ v2/ v3 validate
validate_sql value values/ variants/ vectorize verification/ versions/ views/ virtual_networks/
vpc-flows vuln_scanner waf waiting_rooms/ wans/ warp/ warp_connector/ watermarks/ web3 webhook
webhooks/ widgets/ workers/ workflow workflows/ zaraz zerotrust zones/ zt_risk_scoring/
`
