#include "base/builtin_names.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace pgtend {
namespace {

constexpr std::string_view kFunctionNames =
    "abbrev abs acos acosd acosh age any_value area array_agg array_append array_cat array_dims "
    "array_fill array_length array_lower array_ndims array_position array_positions array_prepend "
    "array_remove array_replace array_reverse array_sample array_shuffle array_sort array_to_json "
    "array_to_string array_to_tsvector array_upper ascii asin asind asinh atan atan2 atan2d atand "
    "atanh avg bernoulli bit_and bit_count bit_length bit_or bit_xor bool bool_and bool_or box "
    "bpchar broadcast btrim cardinality casefold cbrt ceil ceiling center char_length "
    "character_length chr circle clock_timestamp col_description concat concat_ws convert "
    "convert_from convert_to corr cos cosd cosh cot cotd count covar_pop covar_samp crc32 crc32c "
    "cume_dist current_database current_query current_schema current_schemas current_setting "
    "current_user currval cursor_to_xml cursor_to_xmlschema database_to_xml "
    "database_to_xml_and_xmlschema database_to_xmlschema date date_add date_bin date_part "
    "date_subtract date_trunc daterange daterange_canonical daterange_subdiff decode degrees "
    "dense_rank diagonal diameter div encode enum_first enum_last enum_range every exp extract "
    "factorial family first_value float4 float8 floor format format_type gamma gcd "
    "gen_random_uuid generate_series generate_subscripts get_bit get_byte hashtext height host "
    "hostmask inet_client_addr inet_client_port inet_server_addr inet_server_port initcap int2 "
    "int4 int4range int4range_canonical int4range_subdiff int8 int8range int8range_canonical "
    "int8range_subdiff interval is_normalized isempty isfinite ishorizontal isparallel isperp "
    "isvertical json_agg json_agg_strict json_array_elements json_array_elements_text "
    "json_array_length json_build_array json_build_object json_each json_each_text json_object "
    "json_object_agg json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict "
    "json_object_keys json_populate_record json_populate_recordset json_strip_nulls "
    "json_to_record json_to_recordset json_to_tsvector json_typeof jsonb_agg jsonb_agg_strict "
    "jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array "
    "jsonb_build_object jsonb_each jsonb_each_text jsonb_insert jsonb_object jsonb_object_agg "
    "jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict "
    "jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match "
    "jsonb_path_match_tz jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz "
    "jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record "
    "jsonb_populate_record_valid jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax "
    "jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_to_tsvector jsonb_typeof "
    "justify_days justify_hours justify_interval lag last_value lastval lcm lead left length "
    "lgamma like like_escape line ln log log10 lower lower_inc lower_inf lpad ltrim make_date "
    "make_interval make_time make_timestamp make_timestamptz masklen max md5 min min_scale mod "
    "mode multirange mxid_age name netmask network nextval normalize now npoints nth_value ntile "
    "num_nonnulls num_nulls numeric numnode numrange numrange_subdiff obj_description "
    "octet_length overlaps overlay parse_ident percent_rank percentile_cont percentile_disc "
    "pg_backend_pid pg_column_size pg_get_expr pg_lsn pg_partition_tree pg_relation_size "
    "pg_size_pretty pg_sleep pg_table_size pg_total_relation_size pg_typeof phraseto_tsquery pi "
    "plainto_tsquery point position pow power query_to_xml query_to_xml_and_xmlschema "
    "query_to_xmlschema querytree quote_ident quote_literal quote_nullable radians radius random "
    "random_normal range_agg range_intersect_agg rank regexp_count regexp_instr regexp_like "
    "regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table "
    "regexp_substr regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx "
    "regr_sxy regr_syy repeat replace reverse right round row_number row_security_active "
    "row_to_json rpad rtrim scale schema_to_xml schema_to_xml_and_xmlschema schema_to_xmlschema "
    "session_user set_bit set_byte set_config set_masklen setseed setval setweight sha224 sha256 "
    "sha384 sha512 shobj_description sign similar_escape similar_to_escape sin sind sinh slope "
    "split_part sqrt starts_with statement_timestamp stddev stddev_pop stddev_samp string_agg "
    "string_to_array string_to_table strip strpos substr substring sum system_user table_to_xml "
    "table_to_xml_and_xmlschema table_to_xmlschema tan tand tanh text textlike time timeofday "
    "timestamp timestamptz timezone to_ascii to_bin to_char to_date to_hex to_json to_jsonb "
    "to_number to_oct to_regclass to_regcollation to_regnamespace to_regoper to_regoperator "
    "to_regproc to_regprocedure to_regrole to_regtype to_regtypemod to_timestamp to_tsquery "
    "to_tsvector transaction_timestamp translate trim_array trim_scale trunc ts_debug ts_delete "
    "ts_filter ts_headline ts_lexize ts_parse ts_rank ts_rank_cd ts_rewrite ts_stat ts_token_type "
    "tsrange tsrange_subdiff tstzrange tstzrange_subdiff tsvector_to_array "
    "tsvector_update_trigger tsvector_update_trigger_column txid_current txid_current_if_assigned "
    "txid_current_snapshot txid_snapshot_xip txid_snapshot_xmax txid_snapshot_xmin txid_status "
    "txid_visible_in_snapshot unicode_assigned unicode_version unistr unnest upper upper_inc "
    "upper_inf uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7 var_pop var_samp varchar "
    "variance version websearch_to_tsquery width width_bucket xml_is_well_formed "
    "xml_is_well_formed_content xml_is_well_formed_document xmlagg xmlcomment xmlexists xmltext "
    "xmlvalidate xpath xpath_exists ";

constexpr std::string_view kTypes =
    "aclitem any anyarray anyelement bigint bit bool boolean box bpchar bytea char character cid "
    "cidr circle cstring date datemultirange daterange dec decimal double float float4 float8 "
    "inet int int2 int4 int4multirange int4range int8 int8multirange int8range integer interval "
    "json jsonb jsonpath line lseg macaddr macaddr8 money name nchar numeric nummultirange "
    "numrange oid path pg_lsn pg_snapshot point polygon real record refcursor regclass "
    "regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure "
    "regrole regtype smallint text tid time timestamp timestamptz timetz tsmultirange tsquery "
    "tsrange tstzmultirange tstzrange tsvector txid_snapshot unknown uuid varbit varchar void xid "
    "xid8 xml ";

constexpr std::string_view kSoftKeywords =
    "at breadth by conflict cube current cycle day delete depth do double escape exclude filter "
    "first following groups hour insert last locked matched materialized merge minute month next "
    "no nothing nowait nulls of ordinality others over overriding partition passing preceding "
    "range recursive repeatable rollup row rows second set sets share skip temporary ties "
    "transaction unbounded unlogged update varying within without year zone ";

// The words of one of the lists above, sorted.
class Words {
 public:
  explicit Words(std::string_view list) : words_(split(list, ' ')) { std::ranges::sort(words_); }
  bool hold(std::string_view word) const {
    return !word.empty() && std::ranges::binary_search(words_, word);
  }

 private:
  std::vector<std::string_view> words_;
};

}  // namespace

bool is_builtin_function(std::string_view name) {
  static const Words words(kFunctionNames);
  return words.hold(name);
}

bool is_builtin_type(std::string_view name) {
  static const Words words(kTypes);
  return words.hold(name);
}

bool is_soft_keyword(std::string_view name) {
  static const Words words(kSoftKeywords);
  return words.hold(name);
}

}  // namespace pgtend
