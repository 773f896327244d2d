package connector

// SelfHosted is the region of an instance outside Alibaba Cloud.
const SelfHosted = "self-hosted"

// Regions are the regions known without an administrator's doing, by the names the
// cloud shows.
func Regions() []Region {
	return []Region{
		{"cn-hangzhou", "China (Hangzhou)"},
		{"cn-shanghai", "China (Shanghai)"},
		{"cn-beijing", "China (Beijing)"},
		{"cn-zhangjiakou", "China (Zhangjiakou)"},
		{"cn-huhehaote", "China (Hohhot)"},
		{"cn-shenzhen", "China (Shenzhen)"},
		{"cn-chengdu", "China (Chengdu)"},
		{"cn-hongkong", "China (Hong Kong)"},
		{"ap-southeast-1", "Singapore"},
		{"ap-northeast-1", "Japan (Tokyo)"},
		{SelfHosted, "Self-hosted"},
	}
}
